// What people see, line by line.
#include <algorithm>

#include <gtest/gtest.h>

#include "ctl/humane.hpp"
#include "ctl/update_tables.hpp"
#include "picket/distribution_point/v1/distribution_point.pb.h"
#include "sample_picketd.hpp"

namespace picket::test {
namespace {

class Tables : public ::testing::Test {
 protected:
  void SetUp() override {
    answer_everything(picketd);
    picketd.start();
  }
  CtlRan run(std::vector<std::string> arguments) {
    arguments.push_back("--socket");
    arguments.push_back(picketd.socket());
    return run_ctl(std::move(arguments), {}, sample_now);
  }
  void shows(std::vector<std::string> arguments, std::string_view expected, int code = 0) {
    const auto ran = run(std::move(arguments));
    EXPECT_EQ(ran.out, expected.substr(1));
    EXPECT_EQ(ran.code, code) << ran.err;
  }
  CtlPicketd picketd;
};

TEST_F(Tables, a_distribution_point_says_what_it_serves_and_who_asked_for_it) {
  const auto ran = run({"point", "status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"set 7, published 2 h ago", "partial (rule: strict), 1 min ago", "site 1: partial: does not hold all that is demanded", "2 files, 3.0 kB from vendor, nothing new to publish",
                           "source branch: rests for 240 s more after: connection refused", "source vendor: taken: the first source whose metadata are good",
                           "not here: digests/light: the repository does not offer it", "agent, pc-1, pc-2, pc-3, pc-4 and 3 more", "not yet", "3, unverified",
                           "10000 of at most 10000 known; 12 forgotten to make room, 3 wishes refused since it started",
                           "unverified: no verification of this agent tries it"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << "\n" << ran.out;
}

TEST(Pin, stands_beside_the_release_and_says_where_it_leads_when_it_is_elsewhere) {
  update::v1::ComponentStatus component;
  component.set_release(3);
  EXPECT_EQ(ctl::pin_of(component), "");
  component.set_pinned(3);
  EXPECT_EQ(ctl::pin_of(component), ", pinned");
  component.set_pinned(2);
  EXPECT_EQ(ctl::pin_of(component), ", pinned to 2");
}

TEST_F(Tables, a_distribution_point_that_does_not_work_says_only_so) {
  for (const char* state : {"off", "stands by", "unsupported"}) {
    distribution_point::v1::StatusReply point;
    point.set_state(state);
    picketd.answer_with("picket.distribution_point.status", point);
    EXPECT_EQ(run({"point", "status"}).out, cat("Distribution point  ", state, "\n"));
  }
}

TEST_F(Tables, status_is_one_page) {
  ksn::v1::KsnState ksn;
  ksn.set_in_use(true);
  ksn.set_text("Enabled (Private)");
  picketd.publish_state("picket.ksn.state", ksn);
  shows({"status"}, R"(
Device       Warning
               org.acme.bad failed
Agent        picketd 0.1.0, process 4711, up 3 h 12 min, data in /var/lib/picket
Plugins      1 failed, 1 running
               org.acme.bad  failed  crashed 5 times:\x1b[31m SIGSEGV
Components   yara-rules                           ok    release 12 (2027.1), full, published 2 h ago
             url-list                             none  none yet
Variant      changes to light at the next update  cloud mode is on and KSN is in use
Last update  partial 5 min ago from mirror: 1 failed, 1 updated, 1.4 MB
Next update  in 1 h
KSN          Enabled (Private)
Policy       revision 7, applied 1 d ago, expires 2027-02-14 08:00:00Z
)");
}

TEST_F(Tables, plugin_list) {
  shows({"plugin", "list"}, R"(
ID                  VERSION  HOME        STATE    HEALTH   RESTARTS  SINCE      TEXT
org.picket.scanner  1.2.0    in-process  running  healthy  0         2 min ago
org.acme.bad        0.9      isolated    failed   unknown  5         1 d ago    crashed 5 times:\x1b[31m SIGSEGV
)");
}

TEST_F(Tables, plugin_info) {
  shows({"plugin", "info", "org.picket.scanner"}, R"(
id         org.picket.scanner
version    1.2.0
vendor     Picket
home       in-process
state      running  since 2027-01-15 07:58:00Z
health     healthy
restarts   0
path       /usr/lib/picket/plugins/org.picket.scanner/1.2.0
signed by  0a1b2c
bus        7 published, 0 delivered, 0 queued, 0 denied, 0 busy, 0 lost
settings   revision 3 observed, 3 expected
           {"max_mb":100}
)");
}

TEST_F(Tables, update_status) {
  shows({"update", "status"}, R"(
state     idle
last run  partial 5 min ago from mirror: 1 failed, 1 updated, 1.4 MB
next run  in 1 h
variant   light (cloud mode is on and KSN is in use), changes at the next update

COMPONENT   CLASS      VARIANT       RELEASE  VERSION  PUBLISHED  FRESHNESS  DEMANDED BY         KEPT    TEXT
yara-rules  databases  full > light  12       2027.1   2 h ago    ok         org.picket.scanner  10, 11
url-list    databases                -                 -          none       org.acme.bad

SOURCE  PLUGIN                    LOCATION                      STATE    NEXT TRY  TEXT
mirror  org.picket.source-http    https://updates.example.org/  ok       now
usb     org.picket.source-folder  /media/usb                    resting  in 4 min  no such folder
)");
}

TEST_F(Tables, component_list) {
  shows({"component", "list"}, R"(
COMPONENT   CLASS      VARIANT       RELEASE  VERSION  PUBLISHED  FRESHNESS  DEMANDED BY         KEPT    TEXT
yara-rules  databases  full > light  12       2027.1   2 h ago    ok         org.picket.scanner  10, 11
url-list    databases                -                 -          none       org.acme.bad
)");
}

TEST_F(Tables, a_component_whose_only_variant_is_in_force_is_not_shown_as_changing) {
  auto updates = sample_updates();
  updates.mutable_components(0)->set_change_pending(false);
  picketd.answer_with("picket.component.list", updates);
  shows({"component", "list"}, R"(
COMPONENT   CLASS      VARIANT  RELEASE  VERSION  PUBLISHED  FRESHNESS  DEMANDED BY         KEPT    TEXT
yara-rules  databases  full     12       2027.1   2 h ago    ok         org.picket.scanner  10, 11
url-list    databases           -                 -          none       org.acme.bad
)");
}

TEST_F(Tables, update_run_shows_lines_and_the_result) {
  const auto ran = run({"update", "run"});
  EXPECT_EQ(ran.code, 5) << "partial";
  EXPECT_EQ(ran.out, R"(COMPONENT   RESULT   VARIANT  RELEASE  FETCHED  TEXT
yara-rules  updated  full     11 > 12  1.3 MB
url-list    failed   full     -        0 B      no source has it
partial  update 12, from mirror, 1.4 MB, 5 s
)");
  EXPECT_NE(ran.err.find("fetch yara-rules: 100 B\n"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("activate yara-rules: release 12\n"), std::string::npos) << ran.err;
}

TEST_F(Tables, update_history_and_explain) {
  shows({"update", "history"}, R"(
RUN  KIND    RESULT   STARTED               TOOK  SOURCE  FETCHED  COMPONENTS                           TEXT
12   update  partial  2027-01-15 07:54:55Z  5 s   mirror  1.4 MB   yara-rules updated, url-list failed
)");
  shows({"update", "explain"}, R"(
run 12
MS  COMPONENT   SOURCE  FILE  DECISION
3   yara-rules  mirror        a delta from 11 to 12 is fewer bytes
)");
}

TEST_F(Tables, update_what_is_sent) {
  shows({"update", "what-is-sent"}, R"(
Web servers are told, as User-Agent: Picket/0.1.0 (installation 5f0c; licence -; run 13)
ITEM  VALUE  MEANING
run   13     the next run; each has its own number
)");
}

TEST_F(Tables, policy_show_and_explain) {
  shows({"policy", "show"}, R"(
revision            7
signed by           f00d
applied             2027-01-14 08:00:00Z
expires             2027-02-14 08:00:00Z  in 30 d
audience            {"tenant":"acme"}
org.picket.scanner  {"settings":{"max_mb":50},"locked":true}
)");
  shows({"policy", "explain", "org.picket.scanner"}, R"(
SETTING  LAYER          VALUE
max_mb   default        100
         local          900
         locked policy  50     in force

TOPICS  ALLOWED           TAKEN AWAY BY THE POLICY
asks    picket.ksn.check  picket.digests.find, picket.update.*
)");
}

TEST_F(Tables, scan_escapes_what_files_are_called) {
  const auto ran = run({"scan", "/tmp"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_EQ(ran.out, "/tmp/e\\nvil: Evil_Rule [trojan] a test\n/tmp/listed: Trojan.A\\x1b (KSN) [malware]\n/tmp/maybe: suspected\n"
                     "2 files, 2.0 kB scanned in 5 ms with release 12 full and digests 3 light: 2 findings, 1 skipped, 1 file cleared as trusted, KSN asked about 4\n"
                     "1 file is suspected, not confirmed: KSN does not answer (no network)\n");
  EXPECT_EQ(ran.err, "/tmp/huge: skipped: too large\n");
}

TEST_F(Tables, bus_and_config) {
  shows({"bus", "topics"}, R"(
TOPIC              KIND     MESSAGES  PUBLISHERS  SUBSCRIBERS  ANSWERERS
picket.update.run  request  2                                  picket.update
)");
  shows({"config", "show"}, R"(
SETTING    VALUE            FROM
data-dir   /var/lib/picket  default
log-level  debug            file
)");
  const auto watched = run({"bus", "watch", "--payloads", "--count", "1"});
  EXPECT_EQ(watched.code, 0);
  EXPECT_NE(watched.out.find(R"( publish picket.ksn.state org.picket.ksn-client 11 bytes {"in_use":true,"text":"Enabled","since":0,"status":"","device_status":"","cause":"","available":false,"knows":false})"), std::string::npos) << watched.out;
  EXPECT_EQ(std::ranges::count(watched.out, '\n'), 1) << watched.out;
}

TEST(Humane, times_and_spans) {
  EXPECT_EQ(ctl::span(0), "0 s");
  EXPECT_EQ(ctl::span(59), "59 s");
  EXPECT_EQ(ctl::span(61), "1 min");
  EXPECT_EQ(ctl::span(3600), "1 h");
  EXPECT_EQ(ctl::span(3 * 3600 + 12 * 60), "3 h 12 min");
  EXPECT_EQ(ctl::span(90000), "1 d 1 h");
  EXPECT_EQ(ctl::ago(0, 100), "never");
  EXPECT_EQ(ctl::ago(40, 100), "1 min ago");
  EXPECT_EQ(ctl::ago(160, 100), "in 1 min");
  EXPECT_EQ(ctl::date(1'800'000'000), "2027-01-15 08:00:00Z");
}

}  // namespace
}  // namespace picket::test
