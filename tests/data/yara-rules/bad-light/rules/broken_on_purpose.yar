// Written for Picket's tests: a release that no scanner can load. The condition names a string that does not exist.
rule Picket_Broken_On_Purpose {
   meta:
      description = "Does not compile, so that an agent has to go back to the release before"
      author = "Picket"
   strings:
      $a = "never found"
   condition:
      $a and $missing
}
