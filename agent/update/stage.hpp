#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "trust/release.hpp"
#include "update/content_stream.hpp"
#include "update/set_store.hpp"
#include "update/steps.hpp"

namespace picket::update {

// The verified download becomes the staged folder of its component, on disk, ready for SetStore::adopt. A single file is linked, not
// copied; an archive is unpacked. On failure the staging folder is dropped; the download stays.
[[nodiscard]] Result<SetInfo> stage(const trust::Release& release, const std::filesystem::path& download, SetStore& sets, const Steps& steps,
                                    const core::CancelToken& cancel);

// The same from content that is made as it is read: what comes out is verified as the whole file, whichever road it came by.
[[nodiscard]] Result<SetInfo> stage(const trust::Release& release, ContentStream& content, SetStore& sets, const Steps& steps, const core::CancelToken& cancel);

}  // namespace picket::update
