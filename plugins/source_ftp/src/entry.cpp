#include "source_ftp.hpp"

PICKET_PLUGIN("org.picket.source-ftp", source_ftp::SourceFtp)
