"""From a text to the terms in it, in whatever disguise; knows no policy."""
