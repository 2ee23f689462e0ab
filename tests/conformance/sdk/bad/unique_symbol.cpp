#include "well.hpp"
// What g++ makes of a static member of a template when -fno-gnu-unique is missing; clang would not.
asm(".pushsection .data\n.globl shared_for_ever\n.type shared_for_ever, @gnu_unique_object\nshared_for_ever: .long 1\n.size shared_for_ever, 4\n.popsection");
PICKET_PLUGIN("test.bad.plugin", Well)
