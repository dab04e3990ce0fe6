"""Networks that the project trains and ships."""
