"""Tests of the user agent: pure machines by hand-turned clocks, ladders over real UDP."""
