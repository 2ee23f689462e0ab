#include "ksn_client.hpp"

PICKET_PLUGIN("org.picket.ksn-client", ksn_client::KsnClient)
