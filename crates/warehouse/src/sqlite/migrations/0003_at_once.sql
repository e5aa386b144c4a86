-- Which of the hours to be looked at do not wait for their next fixed time: what an import touched, it settles.
ALTER TABLE agenda ADD COLUMN at_once INTEGER NOT NULL DEFAULT 0;
