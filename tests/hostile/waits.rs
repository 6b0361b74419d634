//! Guests that wait for what never comes.

use super::{bad_beside_good, ends, fails_alone, limits};
use crate::support::Place;

#[test]
fn a_pipe_with_nobody_at_its_other_end_is_an_error() {
    ends("write-to-nobody", "", &["nobody reads the pipe any more"]);
    ends("read-from-nobody", "", &["before finishing"]);
}

#[test]
fn a_pipe_into_itself_and_a_list_from_an_own_pipe_are_refused() {
    ends("pipe-into-itself", "", &["would come out of it again", "(invalid)"]);
    ends("expect-from-own-pipe", "", &["would wait for itself", "(invalid)"]);
}

#[test]
fn a_read_that_never_ends_ends_with_the_parts_time() {
    let place = Place::new();
    let rest = format!(
        "[step.product.grant.tools.tool-endless]\nargv = [\"/usr/bin/yes\"]\n\n{}",
        limits("part-time = \"1s\"")
    );
    bad_beside_good(&place, r#"[{ do = "hostile", what = "read-for-ever" }]"#, &rest);
    // The call's own end or the tool's, which come at the same moment.
    fails_alone(&place, &["part", "time"]);
}
