"""Published data sets, brought from their downloads into the layout of their configs."""
