"""Tests of Discord, against the stand-in."""
