"""How the bundled networks are trained: photographs, what happens to them, and one program for each network."""
