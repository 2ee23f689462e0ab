// Which roots a point serves, while keys are rotated.
#include "mirror_rig.hpp"

#include <initializer_list>

namespace distribution_point {
namespace {

void rotate_thrice(support::TufRepo& tuf, std::initializer_list<const char*> roles = {"root"}) {
  for (int i = 0; i < 3; ++i) {
    for (const char* role : roles) tuf.rotate(role);
    tuf.publish({"root"});
  }
}

TEST_F(PointMirror, serves_the_roots_from_the_first_on_to_clients_of_any_age) {
  offer("a", 1);
  publish();
  want("a");
  rotate_thrice(repository_.tuf);
  repository_.tuf.publish_all();
  upstream_.take(repository_);
  upstream_.root = repository_.tuf.files.at("3.root.json");  // this point was installed late
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 1);  // the client comes with 1.root.json
}

TEST_F(PointMirror, leads_every_client_through_all_keys_that_were_rotated_while_it_served) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  support::CheckingClient on_its_way(folder_.path() / "on its way", repository_.tuf.first_root(), support::read_folder(folder_.path() / "point/public"));
  ASSERT_EQ(on_its_way.newest("a").value_or(0), 1);
  rotate_thrice(repository_.tuf, {"root", "timestamp", "snapshot", "targets"});
  offer("a", 2);
  publish();
  const auto result = run();
  EXPECT_EQ(result.result_class(), "ok") << result.reason();
  EXPECT_TRUE(result.published());
  EXPECT_EQ(on_its_way.newest("a").value_or(0), 2);
  EXPECT_EQ(seen("a").value_or(0), 2);
}

// The client walked over it in a run that failed later; an export for a removable drive holds no more than its device needs.
TEST_F(PointMirror, hands_on_a_root_that_it_has_seen_and_no_source_has_any_more) {
  offer("a", 1);
  publish();
  want("a");
  rotate_thrice(repository_.tuf);
  publish();
  upstream_.trouble = [](const std::string&, const std::string& path, std::string&) -> Result<> { return path.starts_with("targets/") ? fail(Code::unavailable, "gone") : Result<>(); };
  ASSERT_EQ(run().result_class(), "failed");
  upstream_.trouble = {};
  upstream_.files.erase("metadata/2.root.json");
  upstream_.files.erase("metadata/3.root.json");
  EXPECT_EQ(run().result_class(), "ok");
  EXPECT_EQ(seen("a").value_or(0), 1);
}

TEST_F(PointMirror, tells_nobody_of_a_new_root_before_the_timestamp_that_its_keys_signed) {
  offer("a", 1);
  publish();
  want("a");
  ASSERT_EQ(run().result_class(), "ok");
  const auto old_stamp = served_->find("/metadata/timestamp.json")->etag;
  repository_.tuf.rotate("timestamp");
  repository_.tuf.publish({"root"});
  publish();
  std::vector<std::pair<bool, bool>> steps;   // whether the timestamp is the old one, whether the new root is there
  mirror_ = std::make_unique<Mirror>(Mirror::Parts{*store_, upstream_,
                                                   [&](const std::shared_ptr<const Catalogue>& catalogue) {
                                                     steps.emplace_back(catalogue->find("/metadata/timestamp.json")->etag == old_stamp, catalogue->find("/metadata/2.root.json") != nullptr);
                                                   },
                                                   [this] { return now_; }, [](std::string_view) {}});
  ASSERT_TRUE(run().published());
  EXPECT_EQ(steps, (std::vector<std::pair<bool, bool>>{{true, false}, {false, true}}));
}

}  // namespace
}  // namespace distribution_point
