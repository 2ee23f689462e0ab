#include "well.hpp"
// An address in the code that the loader has to write.
asm(".pushsection .text\n.globl in_text\n.hidden in_text\nin_text: .quad puts\n.popsection");
PICKET_PLUGIN("test.bad.plugin", Well)
