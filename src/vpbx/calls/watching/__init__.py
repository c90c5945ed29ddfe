"""What phones may subscribe to (RFC 6665): colleagues' lines (BLF), and one's own voicemail."""
