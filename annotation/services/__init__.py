"""What people do: keyword-only functions named <entity>_<verb>. Slow work stays outside transactions."""
