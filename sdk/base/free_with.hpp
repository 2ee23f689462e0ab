// Owners of what libraries in C give: Owned<X509, X509_free>.
#pragma once

#include <memory>

namespace picket {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace picket
