// What a plugin is told: bytes and topics from a seeded source, the same for the same seed.
#pragma once

#include <random>
#include <string>

namespace picket::check {

using Random = std::mt19937_64;

// Mostly short, sometimes empty, sometimes as large as the bus allows; sometimes like a protobuf message, sometimes like JSON.
[[nodiscard]] std::string random_bytes(Random& random);

// A few bytes changed, cut, repeated or put in; or none left, or as many as the bus allows.
[[nodiscard]] std::string mutated(std::string text, Random& random);

// One that the filter lets through.
[[nodiscard]] std::string topic_of(const std::string& filter, Random& random);

}  // namespace picket::check
