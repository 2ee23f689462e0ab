// Deltas from earlier releases to a new one.
#pragma once

#include <functional>
#include <vector>

#include "repo/edit.hpp"

namespace picket::repo {

// Makes deltas to `fresh`, whose file is staged, from up to `count` releases of the same variant in the document before it, writes them to the
// staged targets and adds them to the document. One that is not clearly smaller than the full download is left out, and so is one of which the
// base cannot be read: a delta is never needed.
[[nodiscard]] Result<std::vector<DeltaNews>> add_deltas(const Workspace& workspace, Document& document, const trust::Release& fresh, std::size_t count,
                                                        const std::function<void(const DeltaNews&)>& tell);
// Takes out the deltas of this variant that lead from or to a release that is no longer there, and of those to older releases all but the
// steps from one release to the next: they are the links of chains.
void drop_deltas(Document& document, const trust::Release& fresh, std::size_t count);

}  // namespace picket::repo
