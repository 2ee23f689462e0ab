// Nothing of its own: the precompiled headers of all test programs (tests/CMakeLists.txt) need a target.
