"""The built-in sounds a company may choose (crm-api §11); their audio is made by `media`."""

from __future__ import annotations

BUILT_IN_MUSIC: dict[str, str] = {
    "ringback": "Ringback tone",
    "holdmusic": "Morning wave",
    "calm": "Calm evening",
    "bright": "Bright day",
}
"""File name (the id clients send) → name shown."""

DEFAULT_MUSIC = {"ringback": "ringback", "holdmusic": "holdmusic"}
MUSIC_KINDS = tuple(DEFAULT_MUSIC)
PROMPT = "prompt"
"""Type of an upload that is said instead of the built-in prompt whose name it has."""
SPOKEN_LANGUAGES = ("en", "ru")
"""Languages of texts that the built-in voice says."""
MOST_SPOKEN = 1000
"""Characters of such a text: a minute or so."""
MEDIA_TYPES = ("greeting", "music", "ivr", PROMPT)
