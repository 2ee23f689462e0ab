// Keys and signatures over "hello picket" made by another implementation (python cryptography), so that ours is not its own judge.
// The private key here guards nothing.
#pragma once

namespace picket::trust::vectors {

constexpr const char* p256_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbytm8htz8oUdSzWehdGbxYqY6vYw\n"
    "7+Bye6x+a9Sq9Vk4yFVgS1PbpWkd7lTl4/7TkPsIeXPnRz0maA9ITgEUxQ==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p256_signature =
    "30440220350967b71e2c6df24428b1a172791c1f6b55c65bfad761afc7ce659d44085e5b022017226a673f17a52b497031437df6b01dce12f7453fb37eefedc9ea"
    "6f5ce79fd7";
constexpr const char* p256_compressed_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADbytm8htz8oUdSzWehdGbxYqY6vYw7+Bye6x+a9Sq9Vk=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p384_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEMhfz4ogGhL+nsS+aGpEDZjwOuXGiEQvE\n"
    "KdrA8+vsU5YfFU7cV9701d/tGivC1c2sB+dQrDPSiFA60obgP35wo+sPHilR7T3m\n"
    "wCeE3UhCqZB4zvGDmD5tE5fIcXkjYH4M\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p384_signature =
    "3066023100aa41612bfa6be7b17686e770c582b3b6b8144b15799ba815330615961f97165ce1fb6b9f2ae5b0aa9cc629f582dc217b0231008c1df3cba0a3b5a9ab"
    "a70c14008149e1435610970f3806283732a4f30cca9213f41f3b699f762e5fb589ea5141106363";
constexpr const char* rsa_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwiH1MlBXXiqnhTwzMiq1\n"
    "wQZ0Se1QGJAKNS8MrVPZeYp3Qt1ZmIR1u6rHbL4P4DuwFzxEDRuoQ4zAgvCuK8af\n"
    "pqsYEM0F1GvIxd4ndm/BUoGhiOQrkkYKU78Qu279WlIGBmUe0v8zvgVWSaVCWqB1\n"
    "FVhjnGMiTjDLHGvr8GJJuSbkXVNvkdYCDv2qrLv7WWSjNYkepuygjEFPpZJiggfF\n"
    "zBl4Y1PwCY1KS3e9zY+aX+YntiJP0fCehf3FFYr7Zax9kYD3glTXq2ydW4rIQf4B\n"
    "+ms7vjkIgIehc/h2HYNJEgxhBin3pHgdn2jTkCebXy6VIp5EcBLgtbH/k8WrUVCP\n"
    "oQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* rsa_pkcs1_pem =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCgKCAQEAwiH1MlBXXiqnhTwzMiq1wQZ0Se1QGJAKNS8MrVPZeYp3Qt1ZmIR1\n"
    "u6rHbL4P4DuwFzxEDRuoQ4zAgvCuK8afpqsYEM0F1GvIxd4ndm/BUoGhiOQrkkYK\n"
    "U78Qu279WlIGBmUe0v8zvgVWSaVCWqB1FVhjnGMiTjDLHGvr8GJJuSbkXVNvkdYC\n"
    "Dv2qrLv7WWSjNYkepuygjEFPpZJiggfFzBl4Y1PwCY1KS3e9zY+aX+YntiJP0fCe\n"
    "hf3FFYr7Zax9kYD3glTXq2ydW4rIQf4B+ms7vjkIgIehc/h2HYNJEgxhBin3pHgd\n"
    "n2jTkCebXy6VIp5EcBLgtbH/k8WrUVCPoQIDAQAB\n"
    "-----END RSA PUBLIC KEY-----\n";
constexpr const char* rsa_private_pem =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEowIBAAKCAQEAwiH1MlBXXiqnhTwzMiq1wQZ0Se1QGJAKNS8MrVPZeYp3Qt1Z\n"
    "mIR1u6rHbL4P4DuwFzxEDRuoQ4zAgvCuK8afpqsYEM0F1GvIxd4ndm/BUoGhiOQr\n"
    "kkYKU78Qu279WlIGBmUe0v8zvgVWSaVCWqB1FVhjnGMiTjDLHGvr8GJJuSbkXVNv\n"
    "kdYCDv2qrLv7WWSjNYkepuygjEFPpZJiggfFzBl4Y1PwCY1KS3e9zY+aX+YntiJP\n"
    "0fCehf3FFYr7Zax9kYD3glTXq2ydW4rIQf4B+ms7vjkIgIehc/h2HYNJEgxhBin3\n"
    "pHgdn2jTkCebXy6VIp5EcBLgtbH/k8WrUVCPoQIDAQABAoIBAAXziLzeGFcR1n7N\n"
    "yx2eYEH4k8afR6iInCUALja3MI5WpLBCORalNychoa1lZFcD2mqkb3tBxARN3ZoY\n"
    "BPVg6HSZd7ZuZBeUdjA9brMVcwknkeFAii7IzpTNmXafBPWcmIxgM8gs8FgKuafu\n"
    "YN7Wjt9QnVViRz87lQLwEqic6UDbnOqhrvT8j6qxEqpHMg25xKhuzbTKJTJUbk8P\n"
    "ZRFYsXK7wpd9SAjMmDq9quJ+k+11MiHuHPyEfDo/r2K3OpGVHr66zf/24a399vx4\n"
    "8HypM6yx2iBmFyf6ngkCFn21S/wUC3jTKgdKjK91qAHKrPjOX13n+bQYFj/1g27K\n"
    "+k781EECgYEA/2dNHxEOsk5gQw48Q8S+oN7YMqTA2Gt+zmGRe5jXGUahr5/UQ3RB\n"
    "fdKk/gWGvx87ggoWcAiv60c3gcR4Eq1JxyIZwBQvh1nlIQisgipvKJEV/bQ5EGYp\n"
    "VkxrYd/Frd8PNAN36j5w1ilCsFuazWxCKgDksb77+XZPYqrRhzRCUEECgYEAwpYG\n"
    "PU34o7389epKx4OpGBDs3RKNMlME2XtPW13Tj0B4kSoez8DCCZVJeSZZvRnkH0yF\n"
    "ca+e88cgLEYvSqawnM2NgEXJ1tfN4V5JLk+x0Llkvyjsaj9C9so/YWV+uz/azTsP\n"
    "0h0jS3VLCsBJimPzEvcG+Jdu1eF0YMSqhtxmZ2ECgYEA45gJaJLJtukS7Q5lc7qC\n"
    "aVbL8C1S0EjSglT90Nc9bv+7G4bhH48cwWQRtW/1SKErZVFZ91I2egJHm3MZ0QLt\n"
    "CPABZGJYjFP2U/6nw4LO9aZ8o02TwGJZmdaVpm1DehKZOK+Sj4I/CQlRrVikVUSQ\n"
    "nV+YbDCV2BKu4Wz5NHPEWEECgYAk1nAR9QvoO9SC3bsQcF13v+SHqbZvW4YkghKw\n"
    "8l9V1Fe+66FvpUdWtxt0wwzkHt2wCzWMIzpNXlo554OWd14iIUvzh8LBWJOSYd4q\n"
    "1U2NfTuUcPPo3VcZD4rWLnfCjUEn71F8bqW66Favj12cxHVFFt0L/OcvuIHmu/So\n"
    "mVsNoQKBgFlQqyaW8lY+NCbYUUGVXnyBuPQOX3b/hJgOshGndWhWb+PdqXow1Nsc\n"
    "rBx+qDwxmsyRQeZMvWgGHaJwh4qYuEQ5u2GTJ5WTIc7RVhCGzwhm1PbVi5a0J8bm\n"
    "g8FpA/nilacBanHvEpekQpsngTdwnMNrfONQPAwr5acHzMJ9KkvB\n"
    "-----END RSA PRIVATE KEY-----\n";
constexpr const char* rsa_pss_salt_32 =
    "0b964d50bace3064599424186551d604fdca923d1e134cb806f6972b3b9a32438c70ec6ee833db58f1a1368fa73de5130b84fb6f6abe079808bfaec96e8a5969d3"
    "c0160e9ccab27b221a0d93a6ffe36c17a0f70ee3f8928db6c5bd0c4b4a19232b56859cc592f9a0664189852f9e16b6470e2797aa41255cf457125dc69e4e19117f"
    "9fd3b5560aeae979812dc919505b4b6f5e4b354fa54f672966a197db09281f7fbaa51f0e52834eac3302cc0b007f42cfe3011ef50dff409bfae0fc6a61b8625cd6"
    "ba626ff7cc4be9412ab3ea4ac9345d7d59d58a67c8c157d34ca301976814595332633179c88b64994cac5fb4e9a524bfc5fdc077fdd62940e2e9161ea8";
constexpr const char* rsa_pss_salt_max =
    "3abc8aefc7ecaaeb8fcc8ee63038dc0fffe8b0295d10597821dabbf01e55346c031441ed303e69e8a7244a4136b5f16486a0c95667240336daf123e91b4846fb3a"
    "dfaa772137499928dbed1dfe0028d363817b031872d223f9d8854c6f7f269ea817286cdde5044bdd16e2d2c604e54e6b9defc1ab8573dceeadff9003b07d549d2a"
    "ed40b4505078082be6bf1f045f86d4d11135f94881a843723331572410bd4ae31b005f9f57edefbe1a0bd2832b9d5b3db0c02c8e3a8237edecce2778a653b166f4"
    "2e94ef633601c4f5343f976da4aca572ac9256c1fe37e3e9d093bfc231bcda67c0a3dc73ab8c075cd2a5e72135176edcaa846afb184e538ae68fd3f36b";
constexpr const char* rsa_pss_wrong_mgf =
    "82ccc0af69a611acff269df7363b5ca6b9869642181b77f2e3606a222141d517133955ec93dae26f9493ef34950e791a598f9ed7b0d26770f9ca689d42d72755aa"
    "53d9fe7558db9fa50c35d5ec44c388cd97375a1c1fcb155b745aa040af9386f631153e2be238efaaae60a9487029dab8f260e1f236906f8e8a3ec20a425644b7e3"
    "9f544fca6d997ad91f87497eb261b45ef6888c6036cbecc94c76df32b347115e319d67a9d1481d9b8d891ce8e935a5b8249bffe94702e27dea60c220bc9dfaf5e7"
    "b222de2a27751989dbe963422c00d75d90cbe0500df4d7cd1b183fc6661fbdcf67d106b3f92f5fc4a4e94ba80f3a79e2f4d442e44ffb5b0f79c38d99f7";
constexpr const char* rsa_pkcs1v15 =
    "5e654295d26d51d4006da06ee81d7ddd2cbcad9401ad459540ea0693f9501b7ef974945b80eb26b220a333f9bc47818cc1d32c73ed0bd40cd642dbf0b261b0431a"
    "dea6e2e9ef6d7e5f3e3ab83b059746e59123f58484fb039c370d403fa20c57925ba4815973735975b053591bf94fd402b731ba4b6cfe2cd77d730c2dd3b02a88b4"
    "de3b35116e224b4e394af43c65a1e0dfa8c2bc3e7307c4eabdc2cbb81f69da49438334f5ff443a370c908fa67808ea40f57c62b18e58aa3b334f5ab3e616f95396"
    "26b4e8c89f90fd0146277aa0fe59f69f3fc0922cb5acc9f1afd0db7c39501673ce08b9f205344a3fb8877a315916a8833fef442a9617e0681b976263bd";
constexpr const char* rsa_1024_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKqw2O1/C6lVNs1Dn6BJQ6MInr\n"
    "ZNrzaqnaaSzM+mBbc91ELr8PHaTj3xVT/WrEqAetBsRjOzht7eEaJndmFwKLvVeh\n"
    "jYOMV6wRylQZ52H4gEszHL73fdmFEKx8AKIBVs14VZgLr3CWYlGxhffAO6C2XUcg\n"
    "bTf+Q8R1gBLeifPKVQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace picket::trust::vectors
