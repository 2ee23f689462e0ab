// What a download tells the servers that it asks: exactly four items, nothing personal, as the User-Agent of a request.
#pragma once

#include <string>

namespace picket {

struct Told {
  std::string application = "Picket";   // id
  std::string version;
  std::string installation;             // a number drawn at the first start, of no other meaning
  std::string licence_key;              // the id of the key that is active, not the key; empty: none
  std::string run;                      // of this run of the download
};

// "Picket/0.1.0 (installation 5f0c...; licence -; run 17)". What is no plain character becomes '_', what is too long is cut.
[[nodiscard]] std::string user_agent(const Told& told);

}  // namespace picket
