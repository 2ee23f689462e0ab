#include "ksn_service.hpp"

PICKET_PLUGIN("org.picket.ksn-service", ksn_service::KsnService)
