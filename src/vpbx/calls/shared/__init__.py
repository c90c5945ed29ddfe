"""What all calls share, in memory: who is on the phone, who waits for whom."""
