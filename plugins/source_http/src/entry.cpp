#include "source_http.hpp"

PICKET_PLUGIN("org.picket.source-http", source_http::SourceHttp)
