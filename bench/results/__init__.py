"""How outcomes lie on disk: the journal, the table, the folder of a run."""
