"""The settings: their fields, where each comes from, the rules between them, and the sentence for each mistake."""
