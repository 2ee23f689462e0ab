// The point's folder. Publishing is one rename: `public` is a link to the set in force, and a set is whole before it gets a name.
//
//   public -> sets/7        what is served; may be copied or shared by other means too
//   sets/<n>/metadata, sets/<n>/targets   files of the set; targets are hard links to files/
//   sets/<n>/digests        of its metadata, as `sha256sum -c` reads them
//   files/<sha256>          verified content, once however many sets hold it
//   incoming/<sha256>.part  on its way
//   trusted/                the TUF client's metadata
//   demand.log              what devices asked for (demand.hpp)
//   checked                 up to where the stored files were read again (scrub.hpp)
//
// One thread at a time, but published() and free_bytes().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace distribution_point {

class Store {
 public:
  // Called before every step that changes the folder, with its name: a test kills the process there. Empty in production.
  using Steps = std::function<void(std::string_view step)>;

  // Cleans up what a killed run left. Code::busy: another process has the folder. Code::unsupported: this file system has no links.
  [[nodiscard]] static picket::Result<Store> open(std::filesystem::path folder, Steps steps = {});

  // 0: nothing yet.
  [[nodiscard]] std::uint64_t published() const;
  [[nodiscard]] std::int64_t published_at() const;   // Unix seconds; 0: nothing yet
  [[nodiscard]] std::filesystem::path set_folder(std::uint64_t set) const { return folder_ / "sets" / std::to_string(set); }
  // Those that are not in force, oldest first.
  [[nodiscard]] std::vector<std::uint64_t> earlier() const;

  [[nodiscard]] std::filesystem::path trusted_folder() const { return folder_ / "trusted"; }
  [[nodiscard]] std::filesystem::path highest_file() const { return folder_ / "trusted.highest"; }
  [[nodiscard]] std::filesystem::path demand_file() const { return folder_ / "demand.log"; }

  [[nodiscard]] std::filesystem::path file(std::string_view sha256) const { return folder_ / "files" / sha256; }
  [[nodiscard]] std::filesystem::path part(std::string_view sha256) const { return folder_ / "incoming" / (std::string(sha256) + ".part"); }
  [[nodiscard]] bool has(std::string_view sha256, std::uint64_t length) const;
  // The part is whole, verified and on disk: takes it over.
  [[nodiscard]] picket::Result<> keep(std::string_view sha256);

  struct Metadata { std::string name, bytes; };          // "7.snapshot.json"
  struct Target { std::string path, sha256; };           // "yara-rules/full/HASH.12.tar.zst"
  // Makes a whole set beside the one in force and returns its number; nobody is served from it yet.
  [[nodiscard]] picket::Result<std::uint64_t> build(const std::vector<Metadata>& metadata, const std::vector<Target>& targets);
  // The rename.
  [[nodiscard]] picket::Result<> publish(std::uint64_t set);

  [[nodiscard]] picket::Result<> remove_set(std::uint64_t set);
  // False: the set's file is another one than that in files/, which was fetched anew since.
  [[nodiscard]] bool is_linked(std::uint64_t set, const Target& target) const;

  // ---- reading it again (scrub.hpp)
  struct Stored {
    std::string path;        // below the folder
    std::string name;        // for people
    std::string digest;      // sha256 or sha512, in hex
    std::uint64_t size = 0;
  };
  // Each file whose digest is known, once however many names it has; by path.
  [[nodiscard]] std::vector<Stored> stored() const;
  enum class Look { good, damaged, stopped };
  [[nodiscard]] Look look(const Stored& file, const std::function<bool()>& stop) const;
  // With all its names, so that nobody is served from it. The next run fetches it again, or makes a new set.
  void take_out(const Stored& file);
  [[nodiscard]] std::string cursor() const;
  void set_cursor(std::string_view path);

  // Files that no set holds and parts that are not in `wanted`. Returns the bytes that came free.
  [[nodiscard]] std::uint64_t remove_unused(const std::function<bool(std::string_view sha256)>& is_wanted);
  [[nodiscard]] std::uint64_t stored_bytes() const;      // each file once
  [[nodiscard]] picket::Result<std::uint64_t> free_bytes() const;
  void step(std::string_view name) const {
    if (steps_) steps_(name);
  }

 private:
  Store(std::filesystem::path folder, picket::UniqueFd lock, Steps steps) : folder_(std::move(folder)), lock_(std::move(lock)), steps_(std::move(steps)) {}

  std::filesystem::path folder_;
  picket::UniqueFd lock_;
  Steps steps_;
};

}  // namespace distribution_point
