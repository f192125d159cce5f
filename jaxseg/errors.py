"""Errors that end in a sentence: what a user can mend, told without a traceback."""


class JaxsegError(Exception):
    """The base of the errors whose message is all that there is to see.

    Command lines print them as `error: MESSAGE`. Everything else that is raised is a
    mistake in code, a user's or jaxseg's, and shows its traceback.
    """


class FieldError(JaxsegError, ValueError):
    """A value of a field that its class does not take.

    The checks in a class's `__post_init__` raise it, and `resolve` puts the path in the
    config before the message.
    """


class ModelSizeError(JaxsegError, ValueError):
    """An image, or a feature map of it, of a size that a model does not take.

    A model's own checks raise it while the model is traced. What runs the model then
    names the image, or runs it at another size.
    """
