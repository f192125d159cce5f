"""Text encoders, the table of contents: `model.text_encoder` names these."""

from jaxseg.text_encoders.clip_text_encoder import CLIPTextEncoder

__all__ = ["CLIPTextEncoder"]
