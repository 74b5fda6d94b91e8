/* The least that a start costs: what a static program of ours is measured against. */
int main(void)
{
	return 0;
}
