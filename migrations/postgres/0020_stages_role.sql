-- Does any stage ask for a role at all? Whoever has none of those roles has nothing to decide.
CREATE INDEX stages_role ON stages (role);
