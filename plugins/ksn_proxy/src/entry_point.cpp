#include "ksn_proxy.hpp"

PICKET_PLUGIN("org.picket.ksn-proxy", ksn_proxy::KsnProxy)
