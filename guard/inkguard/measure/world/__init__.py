"""The synthetic world: signs with words in simple scenes, which the embedded models draw."""
