"""How `qa/reader_model/` was made: prepare data, train, export, evaluate, calibrate. Never imported at run time."""
