"""The code the functions share; the build copies what a function needs of it into that function's folder."""
