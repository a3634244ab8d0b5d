"""Who may talk here and as whom: people, their accounts, codes, and the gate in front of everything stored."""
