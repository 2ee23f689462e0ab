// Points that name each other as sources.
#include "mirror_rig.hpp"

namespace distribution_point {
namespace {

const PointName kSelf{"00aa", "here"};

TEST(PointChain, is_told_and_read_with_names_that_a_header_can_hold) {
  const Chain chain{{"00aa", "here"}, {"11bb", ""}, {"22cc", "B\xC3\xBCro, 2. Stock\r\nX: y"}};
  EXPECT_EQ(to_header(chain), "00aa here, 11bb, 22cc B?ro? 2. Stock??X: y");
  EXPECT_EQ(parse_chain(to_header(chain)), (Chain{{"00aa", "here"}, {"11bb", ""}, {"22cc", "B?ro? 2. Stock??X: y"}}));
  EXPECT_EQ(to_header({{"00aa", std::string(1000, 'x')}}).size(), 5u + 64u);
  for (const char* bad : {"", ",", "not hex", "00aa,,11bb", " ", "00aa, "}) EXPECT_TRUE(parse_chain(bad).empty()) << bad;
}

TEST(PointChain, names_all_points_between_one_and_itself) {
  EXPECT_EQ(why_not_follow(kSelf, parse_chain("11bb office, 22cc warehouse")), "");
  EXPECT_EQ(why_not_follow(kSelf, parse_chain("00aa here, 11bb office")), "it leads to this point itself");
  EXPECT_EQ(why_not_follow(kSelf, parse_chain("11bb office, 00aa here, 11bb office")), "the points follow each other: here follows office, office follows here");
  EXPECT_EQ(why_not_follow(kSelf, parse_chain("11bb office, 22cc, 00aa here")), "the points follow each other: here follows office, office follows 22cc, 22cc follows here");
}

TEST(PointChain, has_an_end_whatever_is_told) {
  std::string header;
  for (int i = 0; i < 1000; ++i) header += cat(i == 0 ? "" : ", ", std::to_string(1000 + i));
  const auto chain = parse_chain(header);
  EXPECT_LE(chain.size(), kMostChain + 1);
  EXPECT_EQ(why_not_follow(kSelf, chain), "it follows a chain of 16 distribution points or more");
  EXPECT_EQ(followed_by(kSelf, chain).size(), kMostChain - 1);
  EXPECT_EQ(why_not_follow(kSelf, followed_by(kSelf, chain)), "");
}

// Points that reach each other, and a web server that can go away.
class PointsInARow : public ::testing::Test {
 protected:
  struct Point : support::MapUpstream {
    Point(PointsInARow& all, std::string with_name, std::vector<std::string> sources) : all_(all), name(std::move(with_name)) {
      roads_list.clear();
      for (const auto& source : sources) roads_list.push_back({.name = source, .plugin = "p", .location = "x", .options_json = "{}", .may_hold_back = source != "web"});
      start();
    }
    void start() {
      mirror.reset();
      store.reset();
      store = std::make_unique<Store>(std::move(*Store::open(all_.folder_.path() / name)));
      mirror = std::make_unique<Mirror>(Mirror::Parts{*store, *this, [this](auto catalogue) { served = std::move(catalogue); }, [] { return support::TufRepo::start + 3600; }, [](std::string_view) {},
                                                      {cat("ab", std::to_string(all_.ids_++)), name}});
      EXPECT_TRUE(mirror->serve_published());
    }
    Result<Got> fetch(const Road& road, std::string_view path, std::uint64_t offset, std::uint64_t max_bytes, const Sink& sink) override {
      if (road.name == "web") return all_.is_web_there ? MapUpstream::fetch(road, path, offset, max_bytes, sink) : fail(Code::unavailable, "no route to host");
      const auto& other = *all_.points.at(road.name);
      const auto* entry = other.served ? other.served->find(cat("/", path)) : nullptr;
      if (entry == nullptr) return fail(Code::not_found, "no such file");
      PICKET_LET(bytes, picket::read_file(entry->file, 1u << 30));
      PICKET_TRY(sink(std::string_view(bytes).substr(offset)));
      return Got{bytes.size() - offset, offset, entry->changes ? other.served->point() : ""};
    }
    v1::PointResult run() {
      MirrorSettings settings;
      settings.name = name;
      settings.agent_demand = false;
      settings.components = {{"a", "full"}};
      take(all_.repository_);
      return mirror->run(settings, {}, {}, {}, std::atomic<bool>(false));
    }

    PointsInARow& all_;
    std::string name;
    std::unique_ptr<Store> store;
    std::unique_ptr<Mirror> mirror;
    std::shared_ptr<const Catalogue> served;
  };
  void offer(std::int64_t release) {
    repository_.offer({.component = "a", .release = release, .single = pattern(10'000) + std::to_string(release)});
    repository_.publish();
  }
  Point& add(const std::string& name, std::vector<std::string> sources) { return *(points[name] = std::make_unique<Point>(*this, name, std::move(sources))); }

  TemporaryFolder folder_;
  support::UpdateRepository repository_;
  int ids_ = 10;
  bool is_web_there = true;
  std::map<std::string, std::unique_ptr<Point>> points;
};

TEST_F(PointsInARow, hand_on_what_the_first_of_them_holds_back_and_serve_the_newest_of_the_others) {
  for (const std::int64_t release : {1, 2}) offer(release);
  auto &first = add("first", {"web"}), &second = add("second", {"first"});
  first.declined = {{"a", 2, true}};
  ASSERT_EQ(first.run().result_class(), "ok");
  const auto result = second.run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_EQ(second.mirror->release_of({"a", "full"}), 1u);
  EXPECT_NE(second.served->find("/metadata/held.json"), nullptr);
  first.declined.clear();
  ASSERT_EQ(first.run().result_class(), "ok");
  ASSERT_EQ(second.run().result_class(), "ok");
  EXPECT_EQ(second.mirror->release_of({"a", "full"}), 2u);
  EXPECT_EQ(second.served->find("/metadata/held.json"), nullptr);
}

// A server in between could call itself a point and keep releases away for ever.
TEST_F(PointMirror, believes_only_whom_the_settings_believe_that_it_holds_back) {
  for (const std::int64_t release : {1, 2}) offer("a", release);
  publish();
  want("a");
  upstream_.points["a"] = "11bb office";
  upstream_.files["metadata/held.json"] = R"({"held":{"a":[2]}})";
  ASSERT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 2u);
  EXPECT_EQ(upstream_.asked["metadata/held.json"], 0u);
  upstream_.roads_list.front().may_hold_back = true;
  ASSERT_EQ(run().result_class(), "ok");
  EXPECT_EQ(mirror_->release_of({"a", "full"}), 1u);
}

TEST_F(PointsInARow, take_from_the_web_again_when_they_find_that_they_follow_each_other) {
  offer(1);
  auto &north = add("north", {"south", "web"}), &south = add("south", {"north", "web"});
  EXPECT_EQ(north.run().source(), "web");
  EXPECT_EQ(south.run().source(), "north");
  EXPECT_EQ(south.served->point(), "ab11 south, ab10 north");
  const auto result = north.run();
  EXPECT_EQ(result.source(), "web") << result.reason();
  EXPECT_EQ(result.steps(0).text(), "passed over: the points follow each other: north follows south, south follows north");
  offer(2);
  ASSERT_EQ(north.run().result_class(), "ok");
  ASSERT_EQ(south.run().source(), "north");
  EXPECT_EQ(south.mirror->release_of({"a", "full"}), 2u);
}

TEST_F(PointsInARow, name_each_other_when_none_of_them_has_another_source) {
  offer(1);
  auto &east = add("east", {"west"}), &west = add("west", {"web"}), &north = add("north", {"east"});
  ASSERT_EQ(west.run().result_class(), "ok");
  ASSERT_EQ(east.run().result_class(), "ok");
  ASSERT_EQ(north.run().result_class(), "ok");
  west.roads_list[0].name = "north";
  const auto result = west.run();
  EXPECT_EQ(result.result_class(), "failed");
  EXPECT_EQ(result.reason(), "no source worked: north: the points follow each other: west follows north, north follows east, east follows west");
}

TEST_F(PointsInARow, tell_a_new_name_although_nothing_new_is_published) {
  offer(1);
  auto& north = add("north", {"web"});
  ASSERT_EQ(north.run().result_class(), "ok");
  EXPECT_EQ(north.served->point(), "ab10 north");
  north.name = "office";
  EXPECT_FALSE(north.run().published());
  EXPECT_EQ(north.served->point(), "ab10 office");
}

// Started anew it has another id and no memory; who follows nobody else must let it see itself.
TEST_F(PointsInARow, find_out_although_one_of_them_was_started_again_under_another_id) {
  offer(1);
  auto &north = add("north", {"south", "web"}), &south = add("south", {"north"});
  ASSERT_EQ(north.run().source(), "web");
  ASSERT_EQ(south.run().source(), "north");
  north.start();
  is_web_there = false;
  EXPECT_EQ(north.run().source(), "south") << "whose chain ends at an id of before";
  is_web_there = true;
  EXPECT_EQ(south.run().reason(), "no source worked: north: the points follow each other: south follows north, north follows south");
  offer(2);
  const auto result = north.run();
  EXPECT_EQ(result.source(), "web") << result.reason();
  ASSERT_EQ(south.run().result_class(), "ok");
  EXPECT_EQ(south.mirror->release_of({"a", "full"}), 2u);
}

}  // namespace
}  // namespace distribution_point
