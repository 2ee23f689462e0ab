#include "well.hpp"
template <class T>
struct PICKET_EXPORT Shared {
  static inline int value = 1;
};
int* use_shared() { return &Shared<int>::value; }
PICKET_PLUGIN("test.bad.plugin", Well)
