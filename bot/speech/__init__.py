"""Everything said in a chat: its sentences, their translations, and the language that somebody is spoken to."""
