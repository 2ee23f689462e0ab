// The end of a tool that prints.
#pragma once

namespace picket {

// `status`, when all that was printed is out. A report that a full disk cut short is none: one line says so, and success becomes 1.
[[nodiscard]] int status_of_output(const char* program, int status);

}  // namespace picket
