#include "update/road.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::update {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string digest(std::int64_t number) { return std::string(63, 'a') + static_cast<char>('0' + number); }

struct Offered {
  std::vector<trust::Release> releases;
  std::vector<trust::Delta> deltas;
  std::int64_t base = 1;
  std::uint64_t arrived = 0;
  bool allowed = true;
  std::size_t max_links = 4;
  std::uint64_t avoided = 0;

  explicit Offered(std::int64_t newest, std::uint64_t full = 1000) {
    for (std::int64_t number = 1; number <= newest; ++number) {
      trust::Release release;
      release.component = "rules";
      release.variant = "full";
      release.format = "tar.zst";
      release.release = number;
      release.length = full;
      release.content_sha256 = digest(number);
      releases.push_back(release);
    }
  }
  Offered& with(std::int64_t from, std::int64_t to, std::uint64_t length, std::string method = "splice") {
    trust::Delta delta;
    delta.component = "rules";
    delta.variant = "full";
    delta.base = from;
    delta.release = to;
    delta.base_sha256 = digest(from);
    delta.method = std::move(method);
    delta.length = length;
    deltas.push_back(delta);
    return *this;
  }
  [[nodiscard]] Road road() const {
    return choose_road({releases.back(), releases, deltas, base == 0 ? std::string() : digest(base), arrived, allowed, max_links, avoided});
  }
};

std::vector<std::int64_t> bases(const Road& road) {
  std::vector<std::int64_t> out;
  for (const auto& link : road.links) out.push_back(link.delta->base);
  return out;
}

TEST(Road, is_the_delta_from_what_is_in_force) {
  Offered c(3);
  c.with(2, 3, 10).with(1, 3, 20);
  EXPECT_THAT(bases(c.road()), ElementsAre(1));
  EXPECT_EQ(c.road().bytes, 20u);
  EXPECT_THAT(c.road().why, HasSubstr("the delta from release 1 (splice), 20 B, instead of 1.0 kB"));
}

TEST(Road, is_a_chain_when_that_is_fewer_bytes) {
  Offered c(4);
  c.with(1, 4, 100).with(1, 2, 20).with(2, 3, 20).with(3, 4, 20);
  EXPECT_THAT(bases(c.road()), ElementsAre(1, 2, 3));
  EXPECT_EQ(c.road().bytes, 60u);
  EXPECT_EQ(c.road().links.back().makes->release, 4);
  EXPECT_THAT(c.road().why, HasSubstr("a chain of 3 deltas from release 1"));
  c.with(1, 4, 59);
  EXPECT_THAT(bases(c.road()), ElementsAre(1)) << "direct is fewer";
}

TEST(Road, takes_the_cheaper_of_two_chains) {
  Offered c(4);
  c.with(1, 2, 100).with(2, 4, 100).with(1, 3, 30).with(3, 4, 160).with(2, 3, 1);
  EXPECT_THAT(bases(c.road()), ElementsAre(1, 3));
}

TEST(Road, is_no_longer_than_the_settings_allow) {
  Offered c(6);
  for (int from = 1; from < 6; ++from) c.with(from, from + 1, 10);
  EXPECT_THAT(bases(c.road()), IsEmpty());
  c.max_links = 5;
  EXPECT_EQ(c.road().links.size(), 5u);
  c.max_links = 4;
  c.with(1, 3, 30);
  EXPECT_THAT(bases(c.road()), ElementsAre(1, 3, 4, 5));
}

TEST(Road, is_the_full_file_when_that_is_fewer_bytes) {
  Offered c(2);
  c.with(1, 2, 1000);
  EXPECT_THAT(bases(c.road()), IsEmpty());
  EXPECT_THAT(c.road().why, HasSubstr("deltas would be 1.0 kB"));
  c.deltas.back().length = 999;
  EXPECT_THAT(bases(c.road()), ElementsAre(1));
  c.arrived = 10;  // of the full file, from a run that was cut short
  EXPECT_THAT(bases(c.road()), IsEmpty());
  EXPECT_THAT(c.road().why, HasSubstr("still to come"));
}

TEST(Road, says_why_there_is_no_delta) {
  Offered c(2);
  EXPECT_THAT(c.road().why, HasSubstr("no delta leads from what is in force"));
  c.with(1, 2, 10);
  c.allowed = false;
  EXPECT_THAT(c.road().why, HasSubstr("off in the settings"));
  c.allowed = true;
  c.avoided = 2;
  EXPECT_THAT(c.road().why, HasSubstr("a delta to release 2 failed before"));
  c.avoided = 1;
  EXPECT_EQ(c.road().links.size(), 1u);
  c.base = 0;
  EXPECT_THAT(c.road().why, HasSubstr("no whole set"));
}

TEST(Road, passes_over_methods_and_variants_that_do_not_fit) {
  Offered c(3);
  c.with(1, 3, 10, "magic");
  EXPECT_THAT(bases(c.road()), IsEmpty());
  c.with(1, 3, 20);
  c.deltas.back().variant = "light";
  EXPECT_THAT(bases(c.road()), IsEmpty());
  c.with(1, 2, 5).with(2, 3, 5);
  EXPECT_EQ(c.road().bytes, 10u);
  c.releases.erase(c.releases.begin() + 1);  // what the first link makes is described by nothing
  EXPECT_THAT(bases(c.road()), IsEmpty());
}

TEST(Road, is_nothing_at_all_when_the_content_is_here) {
  Offered c(3);
  c.with(1, 3, 10);
  c.releases.back().content_sha256 = digest(1);
  EXPECT_TRUE(c.road().is_same);
  EXPECT_THAT(bases(c.road()), IsEmpty());
  EXPECT_EQ(c.road().bytes, 0u);
  c.allowed = false;
  EXPECT_FALSE(c.road().is_same);
}

TEST(Road, follows_the_content_and_not_the_number) {
  Offered c(3);
  c.with(2, 3, 10);
  c.deltas.back().base_sha256 = digest(1);  // release 1 has the same content
  EXPECT_EQ(c.road().bytes, 10u);
}

}  // namespace
}  // namespace picket::update
