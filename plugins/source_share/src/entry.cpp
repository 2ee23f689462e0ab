#include "source_share.hpp"

PICKET_PLUGIN("org.picket.source-share", source_share::SourceShare)
