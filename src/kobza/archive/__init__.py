"""Where finished recordings are kept, and how they are read again: whole or in parts."""
