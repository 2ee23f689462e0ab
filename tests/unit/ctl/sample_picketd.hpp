// A picketd that has something of everything, for picketctl to talk to.
#pragma once

#include "samples.hpp"
#include "support/ctl_picketd.hpp"

namespace picket::test {

// Answers every topic that picketctl asks with the samples.
void answer_everything(CtlPicketd& picketd);

}  // namespace picket::test
