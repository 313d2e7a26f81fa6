"""What a program finds around it, made wrong: model folders, environment variables, signals, descriptors."""
