//! What users of other gateways complained of, each once, through a real Envoy and with its right value.
//!
//! | complaint | where |
//! |---|---|
//! | who hangs up rides for free | `models/ended`: `a_client_that_leaves_pays_for_what_was_delivered_until_then`; `calls`; `cut_streams` |
//! | usage of several chunks is added up | `counted`: `usage_in_every_chunk_is_not_added_up` |
//! | cached tokens count twice, or not at all | `models/charged`: `the_charge_is_what_it_comes_to_by_hand` |
//! | an old report counts beside the newest | `counted`: `the_newest_report_wins_and_what_it_leaves_out_stays` |
//! | a negative or fractional count gives credits | `counted`: `a_negative_or_fractional_count_never_credits` |
//! | an explicit zero counts as absent | `models/charged`: `a_usage_of_zero_costs_nothing` |
//! | usage beside a choice is overlooked | `counted`: `usage_beside_a_choice_counts` |
//! | usage in a tool's arguments or metadata counts | `counted`: `usage_in_metadata_a_choice_or_a_tools_arguments_is_none`; `models/charged` |
//! | steps that the totals leave out are free | `counted`: `steps_that_the_totals_leave_out_are_charged_and_others_only_once` |
//! | thoughts and what tools brought are free | `counted`: `what_tools_brought_and_thoughts_lie_beside_at_gemini` |
//! | `stream_options` without `include_usage` has no usage | `models/ask_usage`: `a_client_that_did_not_ask_for_usage_sees_none_and_the_charge_is_exact` |
//! | `"usage": null` is free | `ended`: `null_usage_is_no_usage_and_not_free` |
//! | output without usage is free | `ended`: `output_without_usage_is_not_free_and_tool_calls_are_output`; `models/ended` |
//! | an error text in an answer with status 200 is charged | `ended`: `an_error_text_with_status_200_is_no_output`; `models/ended` |
//! | SDKs ask for gzip, and nothing can be read | `models/charged`: `a_client_that_allows_compression_is_charged_exactly`; `ended` |
//! | an event that is larger than a buffer is lost | `ended`: `the_last_event_may_have_any_size` |
//! | events that are split or written oddly are lost | `ended`: `events_may_be_written_and_split_in_any_way` |
//! | the tier that was asked for is charged, not the answer's | `models/charged`: `the_service_that_the_answer_names_is_the_one_that_is_charged` |
//! | an unknown model is free, or a 402 | `models/refused`: `a_model_without_prices_is_refused_by_its_name` |
//! | an unknown tool is free, or a 402 | `calls`: `a_tool_without_a_price_is_neither_free_nor_refused` |
//! | a cheap name, header or duplicate key buys something dear | `calls`: `a_call_that_readers_may_take_differently_is_refused`; `models/refused` |
//! | one call is sold many times, or a text makes it free | `calls`: `only_a_result_that_asks_for_input_is_free_and_no_text_makes_it_so`; `clients/metered/tools` |
//! | an inline image is held as text | `asked`: `an_image_counts_as_an_image_inline_or_by_its_url` |
//! | a model behind the messages isn't found | `asked`: `a_model_at_the_end_of_a_large_body_is_found` |
//! | a large body loses bytes with an external processor behind | `asked`: `a_large_body_passes_whole_to_an_external_processor_behind_the_gate` |
//! | a changed body smuggles a request | `models/ask_usage`: `a_request_directly_behind_a_changed_one_is_answered_as_one_of_its_own` |

mod asked;
mod calls;
mod counted;
mod desk;
mod ended;
