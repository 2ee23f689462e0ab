#include "source_folder.hpp"

PICKET_PLUGIN("org.picket.source-folder", source_folder::SourceFolder)
