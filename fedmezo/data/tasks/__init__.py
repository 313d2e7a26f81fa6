"""Tasks: what is asked of the rows of a data set. One YAML file a task, in the folder of the data sets."""
