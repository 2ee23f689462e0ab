#include "update/delta_source.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "content/tar.hpp"
#include "storage/space.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

// It has no name: nothing is left behind, whenever the power goes.
Result<UniqueFd> nameless_file(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  auto name = (folder / ".delta-XXXXXX").native();  // a file system that cannot
  fd.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return fail_errno(cat("create a file in ", folder.native()));
  ::unlink(name.c_str());
  return fd;
}

Result<UniqueFd> single_file(const fs::path& set) {
  std::error_code error;
  fs::directory_iterator at(set, error), end;
  if (error || at == end) return fail(Code::not_found, cat(set.native(), ": holds no file"));
  const auto path = at->path();
  if (at.increment(error); error || at != end) return fail(Code::untrusted, cat(set.native(), ": holds more than one file"));
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail_errno(cat("open ", path.native()));
  return fd;
}

}  // namespace

Result<Mapped> Mapped::of(const UniqueFd& fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("stat");
  if (!S_ISREG(info.st_mode)) return fail(Code::untrusted, "is no file");
  if (info.st_size == 0) return Mapped({});
  const auto size = static_cast<std::size_t>(info.st_size);
  auto* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (start == MAP_FAILED) return fail_errno("map");
  return Mapped({static_cast<const char*>(start), size});
}

Mapped::~Mapped() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

Result<Mapped> content_of_set(const fs::path& set, std::string_view format, std::string_view sha256, const fs::path& scratch, const Steps& steps,
                              const core::CancelToken& cancel) {
  Digest digest;
  const auto check = [&]() -> Result<> {
    if (digest.finish_hex() != sha256) return fail(Code::untrusted, "what is installed is not, byte for byte, what the delta starts from");
    return {};
  };
  if (format == "file") {
    PICKET_LET(fd, single_file(set));
    PICKET_LET(mapped, Mapped::of(fd));
    // Read, not mapped: a disk that fails says so here, where a mapping would end the program.
    constexpr std::size_t buffer_size = 128 * 1024;
    const auto buffer = std::make_unique<char[]>(buffer_size);
    for (;;) {
      if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
      const auto got = ::read(fd.get(), buffer.get(), buffer_size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read the installed file");
      if (got == 0) break;
      digest.update({buffer.get(), static_cast<std::size_t>(got)});
    }
    PICKET_TRY(check());
    return std::move(mapped);
  }
  PICKET_LET(listing, content::list(set));
  PICKET_TRY(storage::require_space(scratch, listing.size_bound(), "the archive that a delta starts from"));
  steps("delta.base");
  PICKET_LET(fd, nameless_file(scratch));
  PICKET_TRY(content::write_tar(set, listing, [&](std::string_view bytes) -> Result<> {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    digest.update(bytes);
    return write_all(fd.get(), bytes);
  }));
  PICKET_TRY(check());
  return Mapped::of(fd);
}

Result<Mapped> keep(ContentStream& stream, const trust::Release& release, const fs::path& scratch, const Steps& steps, const core::CancelToken& cancel) {
  PICKET_TRY(storage::require_space(scratch, release.content_length, "a step of a chain of deltas"));
  steps("delta.link");
  PICKET_LET(fd, nameless_file(scratch));
  for (;;) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    PICKET_LET(chunk, stream.next());
    if (chunk.empty()) break;
    PICKET_TRY(write_all(fd.get(), chunk));
  }
  if (stream.bytes() != release.content_length || stream.finish_hex() != release.content_sha256)
    return fail(Code::untrusted, cat("what came out is not release ", std::to_string(release.release), " as it was signed"));
  return Mapped::of(fd);
}

Result<std::unique_ptr<PatchStream>> PatchStream::open(std::string_view base, std::string_view delta, std::uint64_t max_bytes, std::uint64_t memory) {
  PICKET_LET(patch, delta::Patch::open(base, delta, {max_bytes, memory}));
  return std::unique_ptr<PatchStream>(new PatchStream(std::move(patch), max_bytes));
}

}  // namespace picket::update
