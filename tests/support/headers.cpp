// Nothing of its own: the precompiled headers of tests and fuzz targets (tests/CMakeLists.txt) need a target.
