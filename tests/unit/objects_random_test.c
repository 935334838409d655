/* objects_random_test: random calls, ends of items, time and restarts against simple models. */
int main(void)
{
    return 0;
}
