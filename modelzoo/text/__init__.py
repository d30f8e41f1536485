"""Free text: a text and image encoder that the installation's owner supplies, and what it finds in a picture."""
