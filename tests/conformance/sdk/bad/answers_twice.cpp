#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  void on_request(std::uint64_t id, const Message& request) {
    Well::on_request(id, request);
    Well::on_request(id, request);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
